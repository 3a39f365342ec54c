//go:build linux && amd64

package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/munjigi/munjigi/audio"
)

// speak writes every prompt, chime and words, to DIR/NAME.wav: what a microphone
// is to hear.
func speak(ctx context.Context, dir string) error {
	for _, p := range audio.Prompts() {
		v, err := audio.New(audio.Config{Output: "wav:" + filepath.Join(dir, string(p)+".wav"), Volume: 100}, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		v.Say(p, func(audio.Outcome) { cancel() })
		if err := v.Run(ctx); err != nil {
			return err
		}
	}
	return nil
}
