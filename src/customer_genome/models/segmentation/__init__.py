"""Groups of customers who behave alike: the space they lie in, three methods, how many groups, and numbers that stay. Arrays in, arrays out."""
