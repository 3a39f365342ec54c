package issuer

import (
	"context"
	"time"

	"github.com/munjigi/munjigi/pass"
)

// HealthSource yields a person's vaccination record, nil where there is none.
// There is no person yet, so there is nothing to ask for one by.
type HealthSource interface {
	Health(ctx context.Context) (*pass.Health, error)
}

// DemoHealth is the same invented record for everybody: two doses, complete.
type DemoHealth struct{}

// Health implements HealthSource.
func (DemoHealth) Health(context.Context) (*pass.Health, error) {
	return &pass.Health{Complete: true, Doses: []pass.Dose{
		{Number: 1, Date: time.Date(2021, 8, 2, 0, 0, 0, 0, time.UTC)},
		{Number: 2, Date: time.Date(2021, 9, 13, 0, 0, 0, 0, time.UTC)},
	}}, nil
}
