"""The chassis: what every service is bolted on. It knows no business word."""
