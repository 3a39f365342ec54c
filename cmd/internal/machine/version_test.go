package machine

import (
	"strings"
	"testing"
)

func TestTakes(t *testing.T) {
	const old, runs, next = "20261121.235959.aaaaaaa", "20261122.000000.bbbbbbb", "20261122.000001.0000000"
	for _, tt := range []struct{ asks, offered, runs, want string }{
		{"", next, runs, ""},
		{"", old, runs, "not newer"},
		{"", runs, runs, "not newer"},
		{"", "20261122.000000.ccccccc", runs, "not newer"},
		{"", "99991231.235959", runs, "does not say"},
		{"", "zzz", runs, "does not say"},
		{"", next, "by hand", ""}, // a root whose own version says nothing is left for any that does
		{old, old, runs, ""},
		{old, next, runs, "asks for " + old},
		{next, next, runs, ""},
	} {
		err := Update{Version: tt.asks}.Takes(tt.offered, tt.runs)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
