package conn

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/digitalocean/go-libvirt"
)

// What a Bulk says of libvirt's RPC; the numbers are those of its remote_protocol.x.
const (
	remoteProgram  = 0x20008086
	programVersion = 1

	procConnectOpen  = 1
	procConnectClose = 2
	procAuthList     = 66
	procAuthPolkit   = 70
	procVolUpload    = 208
	procVolDownload  = 209

	authNone   = 0
	authPolkit = 2

	typeCall   = 0
	typeReply  = 1
	typeStream = 3

	statusOK       = 0
	statusError    = 1
	statusContinue = 2
)

// header is the start of a frame, without its length.
type header struct {
	program, version, procedure, kind, serial, status uint32
}

// put writes the header and the length of a frame with n bytes of payload.
func (h header) put(frame []byte, n int) {
	fields := []uint32{uint32(headerBytes + n), h.program, h.version, h.procedure, h.kind, h.serial, h.status} //nolint:gosec // at most maxFrame
	for i, f := range fields {
		binary.BigEndian.PutUint32(frame[4*i:], f)
	}
}

func parseHeader(b []byte) header {
	f := func(i int) uint32 { return binary.BigEndian.Uint32(b[4*i:]) }
	return header{f(0), f(1), f(2), f(3), f(4), f(5)}
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // names and paths
	b = append(b, s...)
	return append(b, make([]byte, -len(s)&3)...)
}

var errShortAnswer = errors.New("libvirtd's answer is too short")

// decoder reads XDR; after a first error it yields zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) uint32() uint32 {
	if len(d.b) < 4 {
		d.err = errShortAnswer
		return 0
	}
	v := binary.BigEndian.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

func (d *decoder) string() string {
	n := uint64(d.uint32())
	padded := (n + 3) &^ 3
	if padded > uint64(len(d.b)) {
		d.err = errShortAnswer
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[padded:]
	return s
}

// parseError reads an error that libvirtd answered with.
func parseError(payload []byte) error {
	d := decoder{b: payload}
	code, _ := d.uint32(), d.uint32()
	var message string
	if d.uint32() != 0 {
		message = d.string()
	}
	if d.err != nil {
		return fmt.Errorf("libvirtd reports an error that cannot be read: %w", d.err)
	}
	return libvirt.Error{Code: code, Message: message}
}
