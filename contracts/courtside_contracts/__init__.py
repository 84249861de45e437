"""What the Courtside services say to each other and to downstream consumers."""
