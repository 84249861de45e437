"""Owns users, venues, courts, bookings and blocked slots."""
