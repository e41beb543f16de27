package vcsim

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Ask lets the machine of that name, which has to be on, wait for an answer to
// a question, such as whether a drive that the guest has locked is to be
// opened all the same.
func (s *Server) Ask(vm, text string, choices ...string) error {
	m := s.virtualMachine(vm)
	if m == nil {
		return fmt.Errorf("there is no machine %q", vm)
	}
	ctx := s.Context()
	q := &types.VirtualMachineQuestionInfo{Id: uuid.NewString(), Text: text}
	for i, c := range choices {
		q.Choice.ChoiceInfo = append(q.Choice.ChoiceInfo, &types.ElementDescription{
			Description: types.Description{Label: c, Summary: c}, Key: fmt.Sprint(i),
		})
	}
	ctx.WithLock(m, func() {
		update(ctx, m, func() { m.Runtime.Question = q; m.Summary.Runtime = m.Runtime })
	})
	return nil
}

// AnswerVM answers the question that the machine waits for.
func (vm *VirtualMachine) AnswerVM(ctx *simulator.Context, req *types.AnswerVM) soap.HasFault {
	q := vm.Runtime.Question
	if q == nil || q.Id != req.QuestionId {
		return refusal(&types.InvalidArgument{InvalidProperty: "questionId"})
	}
	known := false
	for _, c := range q.Choice.ChoiceInfo {
		known = known || c.GetElementDescription().Key == req.AnswerChoice
	}
	if !known {
		return refusal(&types.InvalidArgument{InvalidProperty: "answerChoice"})
	}
	update(ctx, vm.VirtualMachine, func() { vm.Runtime.Question = nil; vm.Summary.Runtime = vm.Runtime })
	return &methods.AnswerVMBody{Res: new(types.AnswerVMResponse)}
}
