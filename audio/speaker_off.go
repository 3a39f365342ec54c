//go:build !(cgo && linux)

package audio

import "errors"

type noSpeaker struct{}

func newSpeaker() output { return noSpeaker{} }

func (noSpeaker) open() (device, error) {
	return nil, errors.New(`sound is not built in: build with CGO_ENABLED=1 and libasound2-dev, or set sound.output = "off"`)
}
