import { Command, Option } from 'commander'
import type { InstanceState } from '../../core/processes/instance.ts'
import { oneLine } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { instancesText, instanceText } from '../process-text.ts'
import { resolveTarget, withStore } from '../target.ts'

interface ListOptions extends GlobalOptions {
  readonly state?: InstanceState
  readonly limit: number
}

interface ReasonOptions extends GlobalOptions {
  readonly reason: string
}

const states: readonly InstanceState[] = [
  'running',
  'compensating',
  'stuck',
  'completed',
  'compensated',
]

/** `tidemark process`: lists, shows, retries, settles and aborts instances of processes. */
export function processCommand(host: Host): Command {
  return new Command('process')
    .description('instances of processes: what they have done, and what they wait for')
    .enablePositionalOptions()
    .addCommand(listCommand(host))
    .addCommand(showCommand(host))
    .addCommand(retryCommand(host))
    .addCommand(settleCommand(host))
    .addCommand(abortCommand(host))
}

function listCommand(host: Host): Command {
  return new Command('list')
    .description('list instances, those first that have been told something last')
    .argument('[process]', 'name of a process (default: all)')
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--limit <n>', 'instances at most', positiveInteger, 100)
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const filter = {
        maxInstances: options.limit,
        ...(name === undefined ? {} : { process: name }),
        ...(options.state === undefined ? {} : { state: options.state }),
      }
      const target = await resolveTarget(options, host)
      const instances = await withStore(target, (store) => store.processes.list(filter))
      printResult(host, options, instances, instancesText)
    })
}

function showCommand(host: Host): Command {
  return new Command('show')
    .description('show an instance: its state, its commands and timers, and its history')
    .argument(
      '<process>',
      'name of the process; with its definition in the config file, the state too',
    )
    .argument('<id>', 'id of the instance')
    .action(async (name: string, id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      const definition = target.config.processes?.find((one) => one.name === name) ?? name
      const details = await withStore(target, (store) => store.processes.show(definition, id))
      printResult(host, options, details, instanceText)
    })
}

function retryCommand(host: Host): Command {
  return new Command('retry')
    .description('have what is stuck in an instance tried again, by a worker')
    .argument('<process>', 'name of the process')
    .argument('<id>', 'id of the instance')
    .action(async (name: string, id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      await withStore(target, (store) => store.processes.retry(name, id))
      const result = { process: name, id, asked: 'retry' }
      printResult(host, options, result, () => oneLine(`instance "${id}" is to be tried again`))
    })
}

function settleCommand(host: Host): Command {
  return new Command('settle')
    .description(
      'say that the compensation which is stuck was done by hand, so that the rest is undone',
    )
    .argument('<process>', 'name of the process')
    .argument('<id>', 'id of the instance')
    .requiredOption('--reason <text>', 'what was done, and by whom: it is recorded')
    .action(async (name: string, id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReasonOptions>()
      const target = await resolveTarget(options, host)
      await withStore(target, (store) => store.processes.settle(name, id, options.reason))
      const result = { process: name, id, asked: 'settle' }
      printResult(host, options, result, () => oneLine(`instance "${id}" is to go on undoing`))
    })
}

function abortCommand(host: Host): Command {
  return new Command('abort')
    .description('have an instance fail, so that it undoes what it has done')
    .argument('<process>', 'name of the process')
    .argument('<id>', 'id of the instance')
    .requiredOption('--reason <text>', 'why')
    .action(async (name: string, id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReasonOptions>()
      const target = await resolveTarget(options, host)
      await withStore(target, (store) => store.processes.abort(name, id, options.reason))
      const result = { process: name, id, asked: 'abort' }
      printResult(host, options, result, () => oneLine(`instance "${id}" is to fail`))
    })
}
