"""What the demo account holds: records, and the generator that makes them from a seed."""
