package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass"
)

// Subject is whom a vaccination record is asked for.
type Subject struct {
	Name  string `json:"name"`
	Phone string `json:"phone"` // digits only
	Birth string `json:"birth"` // YYYY-MM-DD
}

// HealthSource yields a person's vaccination record, nil where there is none.
type HealthSource interface {
	Health(ctx context.Context, who Subject) (*pass.Health, error)
}

// DemoHealth is the same invented record for everybody: two doses, complete.
type DemoHealth struct{}

// Health implements HealthSource.
func (DemoHealth) Health(context.Context, Subject) (*pass.Health, error) {
	return &pass.Health{Complete: true, Doses: []pass.Dose{
		{Number: 1, Date: time.Date(2021, 8, 2, 0, 0, 0, 0, time.UTC)},
		{Number: 2, Date: time.Date(2021, 9, 13, 0, 0, 0, 0, time.UTC)},
	}}, nil
}

// wireHealth is a record in JSON and TOML.
type wireHealth struct {
	Complete bool       `json:"complete" toml:"complete"`
	Doses    []wireDose `json:"doses" toml:"doses"`
}

type wireDose struct {
	Number int    `json:"number" toml:"number"`
	Date   string `json:"date" toml:"date"` // YYYY-MM-DD, in Korea
}

func (v *wireHealth) health() (*pass.Health, error) {
	h := &pass.Health{Complete: v.Complete}
	doses := v.Doses[max(0, len(v.Doses)-pass.MaxDoses):] // a pass holds the last ones
	for _, d := range doses {
		date, err := time.Parse(time.DateOnly, d.Date)
		if err != nil {
			return nil, errors.New("a dose's date is not YYYY-MM-DD") // says nothing of the record
		}
		h.Doses = append(h.Doses, pass.Dose{Number: d.Number, Date: date})
	}
	return h, nil
}

func wire(h *pass.Health) wireHealth {
	v := wireHealth{Complete: h.Complete}
	for _, d := range h.Doses {
		v.Doses = append(v.Doses, wireDose{d.Number, d.Date.Format(time.DateOnly)})
	}
	return v
}

// HTTPHealth asks a health authority: POST the subject as JSON, with the token
// as a bearer's. 200 brings {"complete": bool, "doses": [{"number": 1, "date":
// "2021-08-02"}]}, 404 says that there is no record.
type HTTPHealth struct {
	URL, Token string
	Client     *http.Client // with a timeout
}

// Health implements HealthSource. Its errors name nobody.
func (s *HTTPHealth) Health(ctx context.Context, who Subject) (*pass.Health, error) {
	body, err := json.Marshal(who)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("health.url: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the source of vaccination records: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, nil
	default:
		return nil, fmt.Errorf("the source of vaccination records answers %s", resp.Status)
	}
	var v wireHealth
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<10)).Decode(&v); err != nil {
		return nil, errors.New("the source of vaccination records answers something else than a record")
	}
	return v.health()
}

// FileHealth reads records from a TOML file, anew each time: [[people]] with
// name, phone, birth and a record. A dose added there is in the next code.
type FileHealth struct{ Path string }

// Health implements HealthSource.
func (s FileHealth) Health(_ context.Context, who Subject) (*pass.Health, error) {
	var f struct {
		People []struct {
			Name  string `toml:"name"`
			Phone string `toml:"phone"`
			Birth string `toml:"birth"`
			wireHealth
		} `toml:"people"`
	}
	data, err := os.ReadFile(s.Path)
	if err != nil {
		return nil, fmt.Errorf("health.file: %w", err)
	}
	if err := configs.Decode(s.Path, data, &f); err != nil {
		return nil, err
	}
	for _, p := range f.People {
		if (Subject{p.Name, p.Phone, p.Birth}) == who {
			return p.health()
		}
	}
	return nil, nil
}

// loaded is a record as the wallet keeps it, sealed with the person.
type loaded struct {
	At     time.Time   `json:"at"`
	Record *wireHealth `json:"record"` // nil: the source has none
}

// healthFresh is how long a record is taken from the wallet: a dose added at
// the source is in the codes a minute later at the latest.
const healthFresh = time.Minute

// healthPatience is how long a visitor waits for the source at most.
const healthPatience = time.Second

// record is the person's vaccination for the next code, nil where they did not
// ask for it. A source that is away changes nothing: the last record stands.
func (c *call) record(ctx context.Context) (*pass.Health, error) {
	if c.s.Health == nil || c.person == nil || c.person.Health == nil {
		return nil, nil
	}
	var v loaded
	if err := json.Unmarshal(c.person.Health, &v); err != nil {
		return nil, fmt.Errorf("read the wallet's record: %w", err)
	}
	if age := c.now.Sub(v.At); age < 0 || age >= healthFresh {
		if fresh, err := c.fetch(ctx); err != nil {
			c.s.Log.Warn("the source of vaccination records is away, the wallet's last one is used", "brand", c.brand.ID)
		} else {
			v = *fresh
			raw, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			if err := c.s.Store.Edit(ctx, c.person.ID, func(m *store.More) error {
				if m.Health != nil { // withdrawn meanwhile
					m.Health = raw
				}
				return nil
			}); err != nil {
				return nil, err
			}
		}
	}
	if v.Record == nil {
		return nil, nil
	}
	return v.Record.health()
}

func (c *call) fetch(ctx context.Context) (*loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	h, err := c.s.Health.Health(ctx, Subject{c.person.Name, c.person.Phone, c.person.Birth})
	if err != nil {
		return nil, err
	}
	v := &loaded{At: c.now}
	if h != nil {
		w := wire(h)
		v.Record = &w
	}
	return v, nil
}

// loadHealth takes the one consent to the vaccination record and loads it.
func (c *call) loadHealth(in url.Values) error {
	if c.next() != stepCode || !c.brand.Vaccination || c.s.Health == nil {
		return nil
	}
	if !c.fresh() {
		return c.toLogin()
	}
	if in.Get("agree") != healthItem {
		return refuse(http.StatusUnprocessableEntity, "missing")
	}
	ctx := c.r.Context()
	v, err := c.fetch(ctx)
	if err != nil {
		c.s.Log.Warn("a vaccination record is not loaded", "brand", c.brand.ID)
		return refuse(http.StatusServiceUnavailable, "err_health_away")
	}
	if v.Record == nil {
		return refuse(http.StatusUnprocessableEntity, "err_health_none")
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := c.s.Store.Agree(ctx, c.person.ID, []store.Agreement{{
		Item: healthItem, Version: identityVersion, Title: c.s.pages.ko["health"], Text: c.s.pages.ko["health_text"], At: c.now,
	}}); err != nil {
		return err
	}
	c.then = c.base + "/me"
	return c.s.Store.Edit(ctx, c.person.ID, func(m *store.More) error { m.Health = raw; return nil })
}

// withdrawHealth takes that consent back: the record leaves the wallet and the
// next code.
func (c *call) withdrawHealth(url.Values) error {
	if !c.bound() {
		return nil
	}
	if !c.fresh() {
		return c.toLogin()
	}
	ctx := c.r.Context()
	if err := c.s.Store.Disagree(ctx, c.person.ID, healthItem); err != nil {
		return err
	}
	c.then = c.base + "/me"
	return c.s.Store.Edit(ctx, c.person.ID, func(m *store.More) error { m.Health = nil; return nil })
}
