"""What an account holds, as data: tables and their columns, values made to fit them, tinker paths and durations. Pure."""
