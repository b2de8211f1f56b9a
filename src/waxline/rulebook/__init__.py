"""The book of worked examples: what venues publish about their rules, computed with the rules of this program."""
