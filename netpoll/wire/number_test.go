package wire

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
)

// TestNumberKeepsOrder compares number with arithmetic that has no limits. Beyond 64 bits the nearest number is good enough, because
// no range reaches so far.
func TestNumberKeepsOrder(t *testing.T) {
	lowest, highest := big.NewInt(math.MinInt64), big.NewInt(math.MaxInt64)
	for _, digits := range []string{
		"0", "1", "9", "10", "99", "525600", "2147483646", "2147483647", "2147483648", "4294967295", "4294967296",
		"9223372036854775799", "9223372036854775806", "9223372036854775807", "9223372036854775808", "9223372036854775809",
		"9223372036854775810", "9223372036854775817", "18446744073709551615", "18446744073709551616", "92233720368547758070",
		strings.Repeat("9", 100), "1" + strings.Repeat("0", 100),
	} {
		for _, sign := range []string{"", "+", "-"} {
			for _, zeros := range []int{0, 1, 30} {
				text := sign + strings.Repeat("0", zeros) + digits
				want, ok := new(big.Int).SetString(strings.TrimPrefix(text, "+"), 10)
				if !ok {
					t.Fatal(text)
				}
				if want.Cmp(lowest) < 0 {
					want = lowest
				}
				if want.Cmp(highest) > 0 {
					want = highest
				}
				if got, ok := number([]byte(text)); !ok || got != want.Int64() {
					t.Errorf("§4.4 number(%q) = %d, %v, want %d", text, got, ok, want)
				}
			}
		}
	}
}

func TestPlainNumber(t *testing.T) {
	for _, c := range []struct {
		in      string
		n, next int
	}{
		{" 20\r\n", 20, 5},
		{"20\r\n", 20, 4},
		{" 0\r\n", 0, 4},
		{" 999999999\r\n", 999999999, 12},
		{" 000000001\r\n", 1, 12},
		{" 1000000000\r\n", 0, 0},
		{"  20\r\n", 0, 0},
		{" +20\r\n", 0, 0},
		{" -20\r\n", 0, 0},
		{" 20 \r\n", 0, 0},
		{" 20\r", 0, 0},
		{" 20\rx", 0, 0},
		{" 20\n", 0, 0},
		{" 20", 0, 0},
		{" \r\n", 0, 0},
		{" ", 0, 0},
		{"", 0, 0},
		{" 2x\r\n", 0, 0},
	} {
		t.Run(fmt.Sprintf("%q", c.in), func(t *testing.T) {
			for _, before := range []string{"", "Timeout:"} {
				n, next := plainNumber([]byte(before+c.in), len(before))
				want := c.next
				if want > 0 {
					want += len(before)
				}
				if n != c.n || next != want {
					t.Errorf("got %d, %d, want %d, %d", n, next, c.n, want)
				}
			}
		})
	}
}
