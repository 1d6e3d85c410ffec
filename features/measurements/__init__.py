"""What sources state, decided in one place: who, which version, when, and which value counts."""
