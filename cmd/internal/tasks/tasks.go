// Package tasks runs the long-lived parts of a program together: all of them
// or none, ready when all are ready, ended by one context.
package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"
)

// Task is a long-lived part. Run returns when ctx ends, or with an error that
// ends the program; Ready is closed once the part does its work.
type Task interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
	String() string
}

// Run runs all tasks until ctx ends or one of them fails, and calls ready once
// when every task is. It returns the first failure, nil if there was none.
func Run(ctx context.Context, log *slog.Logger, ready func(), all ...Task) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range all {
		g.Go(func() error {
			err := t.Run(ctx)
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			log.Debug("a part has ended", "part", t.String())
			return nil
		})
	}
	g.Go(func() error {
		for _, t := range all {
			select {
			case <-t.Ready():
			case <-ctx.Done():
				return nil
			}
		}
		ready()
		return nil
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Func is a Task made of a function that is ready at once.
type Func struct {
	Name string
	Do   func(context.Context) error
}

// Run calls Do.
func (f Func) Run(ctx context.Context) error { return f.Do(ctx) }

// Ready is closed.
func (f Func) Ready() <-chan struct{} { return closed }

func (f Func) String() string { return f.Name }

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
