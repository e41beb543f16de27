//go:build !linux

package libvirtlab

import (
	"context"
	"errors"
	"net"
	"os"
)

// The package compiles everywhere, so that tests which use it do; [Require] keeps them from running.
var errLinuxOnly = errors.New("the libvirt lab runs on Linux only")

func dialInside(context.Context, int, string) (net.Conn, error) { return nil, errLinuxOnly }

func lockFile(context.Context, string) (*os.File, error) { return nil, errLinuxOnly }

func tryLockFile(string) (*os.File, error) { return nil, errLinuxOnly }

func daemonPrefix() string { return "" }
