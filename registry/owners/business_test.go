package owners

import (
	"errors"
	"fmt"
	"testing"
)

func TestBusiness(t *testing.T) {
	// Numbers that large companies print on their own pages, and made-up ones.
	for _, good := range []string{"124-81-00998", "220-81-62517", "120-81-47521", "1248100998", " 220 81 62517 "} {
		n, err := Business(good)
		if err != nil || len(n) != 10 {
			t.Errorf("%q: %q, %v", good, n, err)
		}
		if back, err := Business(hyphened(n)); err != nil || back != n {
			t.Errorf("%s written with hyphens is read as %q, %v", n, back, err)
		}
	}
	for _, bad := range []string{"", "124-81-00997", "124-81-0099", "124-81-009988", "000-00-00000", "10a-81-00998", "１２４8100998", "100-00-00009"} {
		if n, err := Business(bad); !errors.Is(err, ErrBusiness) {
			t.Errorf("%q is taken for %q", bad, n)
		}
	}
}

// The check digit finds every single wrong digit.
func TestBusinessFindsTypos(t *testing.T) {
	const good = "1248100998"
	for i := range good {
		for d := byte('0'); d <= '9'; d++ {
			typo := []byte(good)
			typo[i] = d
			_, err := Business(string(typo))
			// 5·d plus its tens is 0, 5, 11, 16, …: each digit gives another unit, so that no typo passes.
			if same := d == good[i]; same != (err == nil) {
				t.Errorf("%s: %v", typo, err)
			}
		}
	}
	// Exactly one in ten of all numbers has the right check digit.
	count := 0
	for last := range 10 {
		if _, err := Business(fmt.Sprintf("123456789%d", last)); err == nil {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d check digits fit, want 1", count)
	}
}

func TestPhone(t *testing.T) {
	for text, want := range map[string]string{
		"02-123-4567": "021234567", "010-1234-5678": "01012345678", "031 123 4567": "0311234567", "+82 10-1234-5678": "01012345678",
		"+82-010-1234-5678": "01012345678", "1588-1234": "15881234", "(02) 123.4567": "021234567",
		"": "", "1234": "", "010-1234-56789": "", "9101234567": "", "010-12a4-5678": "", "<script>": "",
	} {
		got, err := Phone(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
		if back, err := Phone(spoken(got)); got != "" && (err != nil || back != got) {
			t.Errorf("%s is written %s", got, spoken(got))
		}
	}
}
