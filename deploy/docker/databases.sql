-- One database and one role for each service; a role owns its own database and nothing else.
CREATE ROLE booking LOGIN PASSWORD 'booking';
CREATE ROLE payments LOGIN PASSWORD 'payments';
CREATE ROLE notifications LOGIN PASSWORD 'notifications';
CREATE DATABASE courtside_booking OWNER booking;
CREATE DATABASE courtside_payments OWNER payments;
CREATE DATABASE courtside_notifications OWNER notifications;
REVOKE CONNECT ON DATABASE courtside_booking, courtside_payments, courtside_notifications FROM PUBLIC;
