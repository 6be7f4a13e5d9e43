package config

import (
	"errors"
	"strconv"
	"strings"
)

// parseASPNetVersion reads a version such as 4.0.30319. ASP.NET refuses a
// state server whose major number is below 2. See docs/protocol.md §5.4.
func parseASPNetVersion(text string) (string, error) {
	for i, part := range strings.Split(text, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return "", errors.New("is not a version")
		}
		if i == 0 && n < 2 {
			return "", errors.New("begins with a number below 2, which ASP.NET refuses")
		}
	}
	return text, nil
}
