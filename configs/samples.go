package configs

import "embed"

// Brands are the sample brands, brands/*.toml: what a demonstration runs on.
//
//go:embed brands/*.toml
var Brands embed.FS

// Registry is the sample registry.toml, Issuer the sample issuer.toml.
var (
	//go:embed registry.toml
	Registry []byte
	//go:embed issuer.toml
	Issuer []byte
)
