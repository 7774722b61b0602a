"""The slides' first principles, number by number and figure by figure: each script takes seconds."""
