"""Second training of a blessed model's recipe, on all data."""
