"""Faults that are asked for, and what became of them: experiments."""
