"""What was measured, in sentences that a user can quote, and the verdict."""
