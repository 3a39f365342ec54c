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
	body, err := json.Marshal(map[string]string{"to": number, "text": text})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("sms.url: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if g.Token != "" {
		req.Header.Set("Authorization", "Bearer "+g.Token)
	}
	resp, err := g.Client.Do(req)
	if err != nil {
		return fmt.Errorf("reach the sms gateway: %w", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // so that the connection is used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the sms gateway answers %s", resp.Status)
	}
	return nil
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
