"""What a person types, and what rules call."""
