package conn

import (
	"errors"
)

func newSSHDialer(t target, cfg SSH) (dialer, error) { return nil, errors.New("soon") }
