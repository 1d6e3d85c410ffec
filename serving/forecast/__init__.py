"""How a forecast is answered and explained."""
