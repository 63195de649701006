import Table from 'cli-table3'
import { Command } from 'commander'
import { optionInvalid } from '../../core/option-invalid.ts'
import type { Reactor } from '../../jobs/reactor.ts'
import type { ShedEvents } from '../../jobs/shedding/shed-events.ts'
import { shedUnknown } from '../../jobs/shedding/shed-events.ts'
import type { TidemarkConfig } from '../config.ts'
import { formatCount, oneLine } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface DiscardOptions extends GlobalOptions {
  readonly yes?: boolean
}

/** `tidemark shed`: lists, replays and gives up events that reactors have passed over under load. */
export function shedCommand(host: Host): Command {
  return new Command('shed')
    .description('events that reactors have passed over while they were far behind')
    .enablePositionalOptions()
    .addCommand(listCommand(host))
    .addCommand(replayCommand(host))
    .addCommand(discardCommand(host))
}

function listCommand(host: Host): Command {
  return new Command('list')
    .description('list what reactors have shed and nobody has replayed')
    .argument('[reactor]', 'name of a reactor (default: all)')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      const shed = await withStore(target, (store) => store.shed.list(name))
      printResult(host, options, shed, shedText)
    })
}

function replayCommand(host: Host): Command {
  return new Command('replay')
    .description('enqueue what shed events ask for, after those that came later')
    .argument('<reactor>', 'name of a reactor in the config file')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      const definition = findReactor(target.config, name)
      const signal = host.stopSignals.listen(() => {})
      const replayed = await withStore(target, (store) => store.shed.replay(definition, { signal }))
      printResult(host, options, { reactor: name, replayed }, () =>
        oneLine(`${formatCount(replayed)} events of reactor "${name}" are replayed`),
      )
    })
}

function discardCommand(host: Host): Command {
  return new Command('discard')
    .description('give up shed events: they will never be replayed')
    .argument('<reactor>', 'name of the reactor')
    .option('--yes', 'do it: without, only show what would be given up')
    .addHelpText('after', '\nWithout --yes it changes nothing, and exits with 0.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DiscardOptions>()
      const target = await resolveTarget(options, host)
      if (options.yes !== true) {
        const shed = await withStore(target, (store) => store.shed.list(name))
        if (shed.length === 0) throw shedUnknown(name)
        const what = 'with --yes these events will never be replayed'
        printResult(host, options, shed, () => `${shedText(shed)}\nnothing was changed: ${what}`)
        return
      }
      const discarded = await withStore(target, (store) => store.shed.discard(name))
      printResult(host, options, { reactor: name, discarded }, () =>
        oneLine(`${formatCount(discarded)} events of reactor "${name}" are given up`),
      )
    })
}

function findReactor({ reactors = [] }: TidemarkConfig, name: string): Reactor {
  const found = reactors.find((one) => one.name === name)
  if (found !== undefined) return found
  throw optionInvalid('reactor', `the config file has no reactor "${name}"`)
}

function shedText(shed: readonly ShedEvents[]): string {
  if (shed.length === 0) return 'nothing was shed'
  const table = new Table({
    head: ['reactor', 'events', 'first position', 'last position', 'since', 'until'],
    colAligns: ['left', 'right', 'right', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  })
  table.push(
    ...shed.map(({ reactor, events, first, last, since, until }) => [
      oneLine(reactor),
      formatCount(events),
      formatCount(first),
      formatCount(last),
      since.toISOString(),
      until.toISOString(),
    ]),
  )
  return table.toString()
}
