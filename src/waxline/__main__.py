"""Start the command line with `python -m waxline`."""

from waxline.cli.main import main

if __name__ == "__main__":
    main()
