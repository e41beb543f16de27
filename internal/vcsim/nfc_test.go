package vcsim_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/nfc"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// streamVMDK makes a disk of one MiB that begins with text.
func streamVMDK(t *testing.T, text string) []byte {
	t.Helper()
	raw := append([]byte(text), make([]byte, 1<<20-len(text))...)
	r := must[*diskimage.StreamVMDK](t)(diskimage.NewStreamVMDK(t.Context(), bytes.NewReader(raw), diskimage.Raw, diskimage.StreamOptions{Size: 1 << 20}))
	return must[[]byte](t)(io.ReadAll(r))
}

// importing begins to import a machine with one disk.
func (l *lab) importing(name string) (*nfc.Lease, *nfc.LeaseInfo) {
	l.t.Helper()
	ctx := l.t.Context()
	pool := must[*object.ResourcePool](l.t)(l.find.ResourcePool(ctx, l.Seed.Clusters[0]+"/Resources"))
	lease := must[*nfc.Lease](l.t)(pool.ImportVApp(ctx, &types.VirtualMachineImportSpec{ConfigSpec: l.spec(name)}, l.folder(), nil))
	return lease, must[*nfc.LeaseInfo](l.t)(lease.Wait(ctx, nil))
}

func (l *lab) put(url string, body []byte, length int64) (int, error) {
	l.t.Helper()
	// A lease's URL needs no session.
	client := &http.Client{Transport: l.client.Client.Client.DefaultTransport()}
	req := must[*http.Request](l.t)(http.NewRequestWithContext(l.t.Context(), http.MethodPut, url, bytes.NewReader(body)))
	req.ContentLength = length
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}

func (l *lab) exists(name string) bool {
	l.t.Helper()
	_, err := l.find.VirtualMachine(l.t.Context(), name)
	return err == nil
}

// What is uploaded is what the machine has, and what is exported again.
func TestImportAndExport(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	lease, info := l.importing("imported")
	if len(info.DeviceUrl) != 1 || info.LeaseTimeout == 0 {
		t.Fatalf("the lease: %+v", info)
	}
	disk := streamVMDK(t, vcsim.GuestMarker)
	if status, err := l.put(info.DeviceUrl[0].Url, disk, int64(len(disk))); err != nil || status/100 != 2 {
		t.Fatalf("the upload: %d, %v", status, err)
	}
	if err := lease.Progress(ctx, 50); err != nil {
		t.Fatal(err)
	}
	manifest := must[[]types.HttpNfcLeaseManifestEntry](t)(lease.GetManifest(ctx))
	if len(manifest) != 1 || manifest[0].Size != int64(len(disk)) || manifest[0].Sha1 == "" {
		t.Errorf("the manifest: %+v", manifest)
	}
	if err := lease.Complete(ctx); err != nil {
		t.Fatal(err)
	}
	vm := l.named("imported")
	l.start(vm)
	l.guest(vm)
	if _, err := vm.Export(ctx); err == nil {
		if _, err = must[*nfc.Lease](t)(vm.Export(ctx)).Wait(ctx, nil); err == nil {
			t.Error("a machine that runs was exported")
		}
	}
	task, err := vm.PowerOff(ctx)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}

	lease = must[*nfc.Lease](t)(vm.Export(ctx))
	out := must[*nfc.LeaseInfo](t)(lease.Wait(ctx, nil))
	if len(out.DeviceUrl) != 1 {
		t.Fatalf("the export: %+v", out)
	}
	client := &http.Client{Transport: l.client.Client.Client.DefaultTransport()}
	res, err := client.Get(out.DeviceUrl[0].Url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw := must[io.Reader](t)(diskimage.NewRawReader(ctx, res.Body, diskimage.VMDK))
	head := make([]byte, len(vcsim.GuestMarker))
	if _, err := io.ReadFull(raw, head); err != nil || string(head) != vcsim.GuestMarker {
		t.Errorf("the export begins with %q (%v)", head, err)
	}
	if n, err := io.Copy(io.Discard, raw); err != nil || n+int64(len(head)) != 1<<30 {
		t.Errorf("the exported disk has %d bytes (%v)", n, err)
	}
	if err := lease.Complete(ctx); err != nil {
		t.Error(err)
	}
}

// An upload that is cut off, or is no streamOptimized VMDK, ends the lease and
// takes the machine away, as does a client that aborts or dies.
func TestImportFails(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	disk := streamVMDK(t, strings.Repeat("content", 1000))
	for name, body := range map[string][]byte{"truncated": disk[:len(disk)-1024], "raw": bytes.Repeat([]byte("raw "), 1000), "short": []byte("KDMV")} {
		t.Run(name, func(t *testing.T) {
			_, info := l.importing("m-" + name)
			if status, err := l.put(info.DeviceUrl[0].Url, body, int64(len(body))); err == nil && status/100 == 2 {
				t.Errorf("taken: %d", status)
			}
			l.await("gone", func() bool { return !l.exists("m-" + name) })
		})
	}
	t.Run("cut off", func(t *testing.T) {
		_, info := l.importing("m-cut")
		if status, err := l.put(info.DeviceUrl[0].Url, disk[:len(disk)/2], int64(len(disk))); err == nil && status/100 == 2 {
			t.Errorf("taken: %d", status)
		}
		l.await("gone", func() bool { return !l.exists("m-cut") })
	})
	t.Run("aborted", func(t *testing.T) {
		lease, _ := l.importing("m-aborted")
		if err := lease.Abort(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if l.exists("m-aborted") {
			t.Error("the machine is still there")
		}
		if err := lease.Complete(ctx); err == nil {
			t.Error("an aborted lease was completed")
		}
	})
	t.Run("timeout", func(t *testing.T) {
		l.SetLeaseTimeout(50 * time.Millisecond)
		defer l.SetLeaseTimeout(0)
		l.importing("m-timeout")
		l.await("gone", func() bool { return !l.exists("m-timeout") })
	})
	t.Run("refused", func(t *testing.T) {
		pool := must[*object.ResourcePool](t)(l.find.ResourcePool(ctx, l.Seed.Clusters[0]+"/Resources"))
		lease, err := pool.ImportVApp(ctx, &types.VirtualMachineImportSpec{ConfigSpec: l.spec("vm-one")}, l.folder(), nil)
		if err == nil {
			_, err = lease.Wait(ctx, nil)
		}
		if err == nil {
			t.Error("a name that is taken was imported")
		}
	})
}

func TestConsole(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.named("vm-one")
	if _, err := vm.AcquireTicket(ctx, "webmks"); faultOf(err) != "InvalidPowerState" {
		t.Errorf("off: %v", err)
	}
	l.start(vm)
	one, two := must[*types.VirtualMachineTicket](t)(vm.AcquireTicket(ctx, "webmks")), must[*types.VirtualMachineTicket](t)(vm.AcquireTicket(ctx, "webmks"))
	if one.Ticket == "" || one.Ticket == two.Ticket || one.Host == "" || one.Port == 0 || one.SslThumbprint == "" || !strings.HasPrefix(one.Url, "wss://") {
		t.Errorf("tickets: %+v, %+v", one, two)
	}
	if _, err := vm.AcquireTicket(ctx, "telnet"); faultOf(err) != "InvalidArgument" {
		t.Errorf("a ticket of an unknown kind: %v", err)
	}
	if err := vm.MountToolsInstaller(ctx); err != nil {
		t.Error(err)
	}
	if !l.properties(vm).Runtime.ToolsInstallerMounted {
		t.Error("the tools are not mounted")
	}
	if err := vm.UnmountToolsInstaller(ctx); err != nil {
		t.Error(err)
	}
}

func TestQuestion(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.named("vm-one")
	l.start(vm)
	if err := l.Ask("vm-one", "The guest has locked the drive. Override?", "Yes", "No"); err != nil {
		t.Fatal(err)
	}
	q := l.properties(vm).Runtime.Question
	if q == nil || len(q.Choice.ChoiceInfo) != 2 {
		t.Fatalf("the question: %+v", q)
	}
	if err := vm.Answer(ctx, q.Id, "7"); faultOf(err) != "InvalidArgument" {
		t.Errorf("an answer that is no choice: %v", err)
	}
	if err := vm.Answer(ctx, q.Id, "0"); err != nil {
		t.Fatal(err)
	}
	if q := l.properties(vm).Runtime.Question; q != nil {
		t.Errorf("still asked: %+v", q)
	}
}

// Tasks take their time, tell their progress and can be canceled without a trace.
func TestTasks(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	source := l.named("vm-one")
	l.SetTaskTime(10 * time.Second)
	pool := must[*object.ResourcePool](t)(l.find.ResourcePool(ctx, l.Seed.Clusters[0]+"/Resources"))
	ref := pool.Reference()
	task := must[*object.Task](t)(source.Clone(ctx, l.folder(), "canceled", types.VirtualMachineCloneSpec{Location: types.VirtualMachineRelocateSpec{Pool: &ref}}))
	rename := must[*object.Task](t)(source.Reconfigure(ctx, types.VirtualMachineConfigSpec{Annotation: "x"}))
	if _, err := source.PowerOn(ctx); faultOf(err) != "TaskInProgress" {
		t.Errorf("while another task holds the machine: %v", err)
	}
	if err := rename.Cancel(ctx); faultOf(err) != "NotSupported" {
		t.Errorf("canceling a reconfiguration: %v", err)
	}
	var info types.TaskInfo
	read := func() types.TaskInfo {
		res := must[*types.RetrievePropertiesResponse](t)(methods.RetrieveProperties(ctx, l.client, &types.RetrieveProperties{
			This: l.client.ServiceContent.PropertyCollector,
			SpecSet: []types.PropertyFilterSpec{{
				PropSet:   []types.PropertySpec{{Type: "Task", PathSet: []string{"info"}}},
				ObjectSet: []types.ObjectSpec{{Obj: task.Reference()}},
			}},
		}))
		return res.Returnval[0].PropSet[0].Val.(types.TaskInfo)
	}
	l.await("progress", func() bool { info = read(); return info.Progress > 0 })
	if info.EntityName != "vm-one" || !info.Cancelable || info.DescriptionId != "VirtualMachine.cloneVM" && info.DescriptionId != "VirtualMachine.clone" {
		t.Errorf("the task: %+v", info)
	}
	began := time.Now()
	if err := task.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	if got := faultOf(task.Wait(ctx)); got != "RequestCanceled" || time.Since(began) > 5*time.Second {
		t.Errorf("canceled after %s: %q", time.Since(began), got)
	}
	if l.exists("canceled") {
		t.Error("the clone is there")
	}
}
