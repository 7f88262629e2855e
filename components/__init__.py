"""How it is made: one ComponentResource a file, grouped by what they provision, each beside its pure spec builder."""
