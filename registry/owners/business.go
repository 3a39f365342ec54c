package owners

import (
	"errors"
	"strings"
)

// ErrBusiness is returned for what is not a business registration number.
var ErrBusiness = errors.New("a business registration number has ten digits, the last of which checks the others: type it as it stands on the certificate")

// weights of the first nine digits of a business registration number
// (사업자등록번호) in its check digit, as the National Tax Service has them.
var weights = [9]int{1, 3, 7, 1, 3, 7, 1, 3, 5}

// Business reads a business registration number, with or without hyphens and
// spaces, and returns its ten digits. The first three name a tax office (101
// and above) and the last is the check digit: the ninth digit counts five times
// with its tens added in, the sum's distance to the next ten is the digit.
func Business(text string) (string, error) {
	n := strings.NewReplacer("-", "", " ", "").Replace(text)
	if len(n) != 10 || strings.Trim(n, "0123456789") != "" || n < "101" {
		return "", ErrBusiness
	}
	sum := 0
	for i, w := range weights {
		sum += int(n[i]-'0') * w
	}
	sum += int(n[8]-'0') * weights[8] / 10
	if (10-sum%10)%10 != int(n[9]-'0') {
		return "", ErrBusiness
	}
	return n, nil
}

// hyphened writes a number's ten digits as people do: 123-45-67890.
func hyphened(business string) string {
	if len(business) != 10 {
		return business
	}
	return business[:3] + "-" + business[3:5] + "-" + business[5:]
}

// spoken writes a telephone number's digits as people do: 02-123-4567.
func spoken(phone string) string {
	area := 3
	switch {
	case len(phone) == 8:
		return phone[:4] + "-" + phone[4:]
	case len(phone) < 9:
		return phone
	case phone[:2] == "02":
		area = 2
	}
	return phone[:area] + "-" + phone[area:len(phone)-4] + "-" + phone[len(phone)-4:]
}

// ErrPhone is returned for what is not a telephone number of the country.
var ErrPhone = errors.New("a telephone number begins with 0 and has 9 to 11 digits, or 8 from 15 or 16 on")

// Phone reads a Korean telephone number, with or without hyphens, spaces and
// +82, and returns its digits with the leading zero: 0 and 8 to 10 more, or a
// national number such as 1588-0000.
func Phone(text string) (string, error) {
	n := strings.NewReplacer("-", "", " ", "", ".", "", "(", "", ")", "").Replace(text)
	if rest, abroad := strings.CutPrefix(n, "+82"); abroad {
		n = "0" + strings.TrimPrefix(rest, "0")
	}
	if strings.Trim(n, "0123456789") != "" {
		return "", ErrPhone
	}
	local := n != "" && n[0] == '0' && len(n) >= 9 && len(n) <= 11
	national := len(n) == 8 && (strings.HasPrefix(n, "15") || strings.HasPrefix(n, "16") || strings.HasPrefix(n, "18"))
	if !local && !national {
		return "", ErrPhone
	}
	return n, nil
}
