package vcsim

import (
	"bytes"
	"fmt"
	"math/rand"
	"net/http"
	"reflect"
	"time"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// pause waits as long as a call is to take. It reports false where the client
// has gone meanwhile.
func (s *Server) pause(r *http.Request, q *request) bool {
	d := s.options.Delay + s.faults.delay(q.method)
	if s.options.Jitter > 0 {
		d += time.Duration(rand.Int63n(int64(s.options.Jitter))) //nolint:gosec // Not a secret.
	}

	if d <= 0 {
		return true
	}

	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.faults.released:
		return false
	}
}

// fail lets the call go wrong as the rule says.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, q *request, f *rule) {
	switch f.outcome {
	case dropped:
		panic(http.ErrAbortHandler)
	case lost:
		s.forward(nowhere{make(http.Header)}, r, q)
		panic(http.ErrAbortHandler)
	case unavailable:
		http.Error(w, "503 Service Unavailable (Failed to connect to endpoint)", http.StatusServiceUnavailable)
	case hung:
		select {
		case <-r.Context().Done():
		case <-s.faults.released:
		}

		panic(http.ErrAbortHandler)
	case taskFaulted:
		if !s.hasSession(sessionOf(r)) {
			this := q.this
			s.writeFault(w, &types.NotAuthenticated{NoPermission: types.NoPermission{Object: &this, PrivilegeId: "System.View"}})

			return
		}

		task := s.failedTask(s.Context(), q.this, q.method, f.fault)
		s.writeXML(w, http.StatusOK, fmt.Sprintf(
			`<%[1]sResponse xmlns="urn:vim25"><returnval type="Task">%[2]s</returnval></%[1]sResponse>`, q.method, task.Value))
	case faulted:
		s.writeFault(w, f.fault)
	}
}

// nowhere is the response to a client that does not get it.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

// writeFault answers with a SOAP fault.
func (s *Server) writeFault(w http.ResponseWriter, f types.BaseMethodFault) {
	kind := reflect.TypeOf(f).Elem().Name()

	var detail bytes.Buffer

	err := xml.NewEncoder(&detail).EncodeElement(f, xml.StartElement{
		Name: xml.Name{Local: kind + "Fault"},
		Attr: []xml.Attr{
			{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"},
			{Name: xml.Name{Local: "xsi:type"}, Value: kind},
		},
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)

		return
	}

	var text bytes.Buffer

	_ = xml.EscapeText(&text, []byte(message(f)))

	s.writeXML(w, http.StatusInternalServerError, fmt.Sprintf(
		`<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>%s</faultstring><detail>%s</detail></soapenv:Fault>`,
		text.String(), detail.String()))
}

// writeXML answers with an envelope around the body.
func (s *Server) writeXML(w http.ResponseWriter, status int, body string) {
	answer := xml.Header + `<soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"` +
		` xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"` +
		` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>` + body + `</soapenv:Body></soapenv:Envelope>`

	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(answer)) //nolint:gosec // XML for a client of the API.
	s.traffic.add(len(answer))
}
