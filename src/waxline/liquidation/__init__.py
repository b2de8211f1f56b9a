"""What a venue does with an account at its line: close-out, collateral sale, takeover, deleveraging, bad debt."""
