"""What the environment of a real club looks like, complete and no more: each process starts with it."""

from __future__ import annotations

SECRETS = {
    "BOOKING_DATABASE_URL": "postgresql://booking:database-secret-b@db.club.internal/booking",
    "BOOKING_KAFKA_PASSWORD": "broker-secret-b",
    "BOOKING_CALENDAR_KEY": "calendar-secret-of-32-characters-at-least",
    "PAYMENTS_DATABASE_URL": "postgresql://payments:database-secret-p@db.club.internal/payments",
    "PAYMENTS_KAFKA_PASSWORD": "broker-secret-p",
    "PAYMENTS_POLAR_ACCESS_TOKEN": "polar_oat_secret",
    "PAYMENTS_POLAR_WEBHOOK_SECRETS": '["whsec_c2VjcmV0"]',
    "NOTIFICATIONS_DATABASE_URL": "postgresql://notifications:database-secret-n@db.club.internal/notifications",
    "NOTIFICATIONS_KAFKA_PASSWORD": "broker-secret-n",
    "NOTIFICATIONS_RESEND_API_KEY": "re_secret",
    "NOTIFICATIONS_RESEND_WEBHOOK_SECRETS": '["whsec_c2VjcmV0"]',
}
WORDS = ("database-secret", "broker-secret", "calendar-secret", "polar_oat_secret", "c2VjcmV0", "re_secret")
"""What must not be seen anywhere."""


def production(service: str) -> dict[str, str]:
    prefix = service.upper()
    told = {
        "ENVIRONMENT": "production",
        "KAFKA_BOOTSTRAP": "kafka.club.internal:9093",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": service,
        "PUBLIC_URL": "https://api.club.internal",
        "JWKS_URL": "https://id.club.internal/jwks.json",
        "TOKEN_ISSUER": "https://id.club.internal/",
    }
    own = {
        "payments": {
            "POLAR_BASE_URL": "https://api.polar.sh",
            "POLAR_PRODUCT_ID": "0d4b7c52-94c1-4f57-8a0e-6c1b2d3e4f50",
            "SUCCESS_URL": "https://club.internal/bookings/{BOOKING_ID}",
        },
        "notifications": {
            "SENDER": "Club <bookings@club.internal>",
            "STAFF_ADDRESS": "desk@club.internal",
            "BOOKING_PAGE": "https://club.internal/bookings/{BOOKING_ID}",
        },
    }
    secrets = {name: value for name, value in SECRETS.items() if name.startswith(prefix)}
    return {f"{prefix}_{name}": value for name, value in (told | own.get(service, {})).items()} | secrets
