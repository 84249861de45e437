"""Which currencies a price may have, the least that can be charged in each, and how an amount reads."""

# Minor units, Polar's table for the currencies of European and American clubs.
MINIMUM_MINOR = {
    "aud": 70, "brl": 250, "cad": 70, "chf": 50, "czk": 1500, "dkk": 320, "eur": 50, "gbp": 40,
    "huf": 17500, "jpy": 80, "usd": 50,
}  # fmt: skip
ZERO_DECIMAL = frozenset({"jpy"})
SYMBOLS = {"eur": "€", "usd": "$", "gbp": "£", "jpy": "¥"}


def readable(amount_minor: int, currency: str) -> str:
    """`€24.00`, `¥2,400`, `240.00 SEK`."""
    number = f"{amount_minor:,}" if currency in ZERO_DECIMAL else f"{amount_minor // 100:,}.{amount_minor % 100:02}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency.upper()}"
