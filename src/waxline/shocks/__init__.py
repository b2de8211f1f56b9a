"""What hits from outside: news, halts of transfers, slow order entry."""
