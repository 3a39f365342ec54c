package configs

import "embed"

// Brands are the sample brands, brands/*.toml: what a demonstration runs on.
//
//go:embed brands/*.toml
var Brands embed.FS
