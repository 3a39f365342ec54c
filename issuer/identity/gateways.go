package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// HTTPGateway hands messages to an HTTP hook: POST {"to": number, "text": text}
// as JSON, with the token as a bearer's. Any 2xx answer means sent.
type HTTPGateway struct {
	URL, Token string
	Client     *http.Client // with a timeout
}

// Send implements Gateway. Its errors name neither number nor text.
func (g *HTTPGateway) Send(ctx context.Context, number, text string) error {
	resp, err := post(ctx, g.Client, g.URL, g.Token, map[string]string{"to": number, "text": text})
	if err != nil {
		return fmt.Errorf("reach the sms gateway (sms.url): %w", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection is used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the sms gateway answers %s", resp.Status)
	}
	return nil
}

// HTTPSubscribers asks the carriers' data source over HTTP: POST the Identity
// as JSON, with the token as a bearer's. 200 brings {"match": true}, or false
// where the carrier knows the line otherwise, or knows no such line. A 404 says
// nothing of the person: the address may be wrong.
type HTTPSubscribers struct {
	URL, Token string
	Client     *http.Client // with a timeout
}

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 4 << 10

// Confirm implements Subscribers. Whatever is no clear yes or no is ErrAway, and
// says nothing of the person.
func (s *HTTPSubscribers) Confirm(ctx context.Context, id Identity) error {
	resp, err := post(ctx, s.Client, s.URL, s.Token, id)
	if err != nil {
		return fmt.Errorf("%w: reach the carriers (subscribers.url): %w", ErrAway, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: the carriers answer %s", ErrAway, resp.Status)
	case err != nil:
		return fmt.Errorf("%w: hear the carriers out: %w", ErrAway, err)
	}
	var v struct {
		Match *bool `json:"match"`
	}
	if json.Unmarshal(body, &v) != nil || v.Match == nil {
		return fmt.Errorf("%w: the carriers answer something else than match true or false", ErrAway)
	}
	if !*v.Match {
		return ErrMismatch
	}
	return nil
}

func post(ctx context.Context, client *http.Client, url, token string, v any) (*http.Response, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return client.Do(req)
}

// Message is one in the local inbox.
type Message struct {
	At       time.Time
	To, Text string
}

// Inbox keeps the last messages in memory instead of sending them, for a page
// that stands for the phones' own. Anybody who can open that page can read
// every code: it is for demonstrations.
type Inbox struct {
	Now func() time.Time

	mu   sync.Mutex
	last []Message
}

const inboxSize = 50

// Send implements Gateway.
func (b *Inbox) Send(_ context.Context, number, text string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = append([]Message{{b.Now(), number, text}}, b.last[:min(len(b.last), inboxSize-1)]...)
	return nil
}

// Messages are the last ones, the newest first, none older than an hour.
func (b *Inbox) Messages() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Message
	for _, m := range b.last {
		if b.Now().Sub(m.At) < time.Hour {
			all = append(all, m)
		}
	}
	return all
}
