package fault

import (
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// service judges what is about the API and the services behind it.
func service(f types.BaseMethodFault) (verdict, bool) {
	switch f := f.(type) {
	case *types.MethodNotFound:
		return verdict{code: backends.Unsupported, text: "this vSphere has no method " + f.Method}, true
	case *types.HostAccessRestrictedToManagementServer:
		return verdict{code: backends.Precondition, text: "the host is managed by a vCenter and refuses this", remedy: "Connect to the vCenter" + quoted(f.ManagementServer) + " instead of the host."}, true
	case *types.NotImplemented, types.BaseNotSupported:
		return verdict{code: backends.Unsupported, text: "vSphere does not support this here"}, true
	case *types.UnsupportedVimApiVersion:
		return verdict{code: backends.Unsupported, text: "the version of the API is not supported"}, true
	case types.BaseHostCommunication:
		return verdict{code: backends.Transient, text: "vCenter cannot reach the host"}, true
	case *types.RequestCanceled:
		return verdict{code: backends.Canceled, text: "the task was cancelled"}, true
	case types.BaseTimedout:
		return verdict{code: backends.Timeout, text: "vSphere gave up waiting"}, true
	case *types.DatabaseError:
		return verdict{code: backends.Transient, text: "vCenter has trouble with its database"}, true
	case *types.SystemError:
		code := backends.Internal
		if passing(f.Reason) {
			code = backends.Transient
		}
		return verdict{code: code, text: f.Reason}, true
	case types.BaseHostConnectFault:
		return verdict{code: backends.Transient, text: "vCenter has trouble with the connection to a host"}, true
	case *types.HttpFault:
		return verdict{code: ofStatus(int(f.StatusCode)), text: f.StatusMessage}, true
	}
	return verdict{}, false
}

// byWords judges a fault whose type says nothing by the keys and words of its messages.
// Hosts report what stopped a VM from starting in this way only.
func byWords(l link) (verdict, bool) {
	text := strings.ToLower(l.text)
	for _, m := range l.fault.GetMethodFault().FaultMessage {
		text += "\n" + strings.ToLower(m.Key+" "+m.Message)
	}
	switch {
	case strings.Contains(text, "not enough space"), strings.Contains(text, "no space left"), strings.Contains(text, "insufficient disk space"):
		return verdict{code: backends.Exhausted, remedy: freeSpace}, true
	case strings.Contains(text, "failed to lock the file"), strings.Contains(text, "msg.fileio.lock"):
		return verdict{code: backends.Locked}, true
	case passing(text):
		return verdict{code: backends.Transient}, true
	}
	return verdict{}, false
}

// passing reports whether words tell of trouble that passes by itself.
func passing(text string) bool {
	text = strings.ToLower(text)
	for _, sign := range []string{
		"timed out", "timeout", "temporar", "try again", "unavailable", "network failure", "network error", "communication",
		"connection was", "connection is", "connection reset", "connection lost", "lost connection", "busy",
	} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
