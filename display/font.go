package display

// Font is the built-in typeface as an OpenType file, for who draws words that
// are no scene: NanumSquare Bold, under the SIL Open Font License 1.1. It must not
// be changed.
func Font() []byte { return nanumSquare }
