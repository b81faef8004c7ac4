"""What a person writes: studies, params, references."""
