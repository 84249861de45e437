-- One database and one role for each service; a role owns its own database and nothing else. Runs once, when the cluster is made.
\getenv booking_password BOOKING_DATABASE_PASSWORD
\getenv payments_password PAYMENTS_DATABASE_PASSWORD
\getenv notifications_password NOTIFICATIONS_DATABASE_PASSWORD
CREATE ROLE booking LOGIN PASSWORD :'booking_password';
CREATE ROLE payments LOGIN PASSWORD :'payments_password';
CREATE ROLE notifications LOGIN PASSWORD :'notifications_password';
CREATE DATABASE courtside_booking OWNER booking;
CREATE DATABASE courtside_payments OWNER payments;
CREATE DATABASE courtside_notifications OWNER notifications;
REVOKE CONNECT, TEMPORARY ON DATABASE courtside_booking, courtside_payments, courtside_notifications FROM PUBLIC;
