"""What is shown of an answer, and where it goes."""
