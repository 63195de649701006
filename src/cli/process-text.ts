import Table from 'cli-table3'
import type { ProcessStep, RecordedAction } from '../core/processes/instance.ts'
import type { InstanceDetails, InstanceSummary } from '../jobs/processes/process-store.ts'
import { formatCount, oneLine } from './format.ts'

/** Lists instances of processes for people. */
export function instancesText(instances: readonly InstanceSummary[]): string {
  if (instances.length === 0) return 'no instances'
  const table = new Table({
    head: ['process', 'id', 'state', 'position', 'changed', 'reason'],
    style: { head: [], border: [], compact: true },
  })
  table.push(
    ...instances.map(({ process, id, state, position, changedAt, reason }) => [
      oneLine(process),
      oneLine(id),
      state,
      formatCount(position),
      changedAt.toISOString(),
      oneLine(reason ?? ''),
    ]),
  )
  return table.toString()
}

/** Shows an instance for people. Without payloads: they may be nobody's business. */
export function instanceText(details: InstanceDetails): string {
  const { process, id, state, reason, value, steps, timers, history } = details
  return [
    oneLine(`process "${process}", instance "${id}": ${state}${reason ? ` (${reason})` : ''}`),
    ...(value === undefined ? [] : [oneLine(`state: ${JSON.stringify(value)}`)]),
    ...steps.map((step) => oneLine(`command ${stepText(step)}`)),
    ...timers.map(({ name, dueAt }) => oneLine(`timer "${name}" at ${dueAt.toISOString()}`)),
    'history:',
    ...history.map(({ told, actions, recordedAt }) => {
      const answer = actions.map(actionText).join(', ')
      return oneLine(`  ${recordedAt.toISOString()} ${told.type}${answer && `: ${answer}`}`)
    }),
  ].join('\n')
}

function stepText({ call, state, reason, undoes }: ProcessStep): string {
  const { decider, target, command } = call
  const what = `${command} of ${decider}-${target}${undoes === null ? '' : ' (undoes)'}`
  return `${what}: ${state}${reason === null ? '' : ` (${reason})`}`
}

function actionText(action: RecordedAction): string {
  switch (action.kind) {
    case 'command':
      return `command ${action.call.command}`
    case 'compensation':
      return `undo by ${action.call.command}`
    case 'retry':
      return `retry ${action.call.command}`
    case 'job':
      return `job ${action.job.task}`
    case 'timer':
      return `timer "${action.name}"`
    case 'cancel':
      return `cancel timer "${action.name}"`
    case 'complete':
    case 'fail':
      return action.kind
  }
}
