import { Command } from 'commander'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { printResult } from '../print-result.ts'
import { statusText } from '../status-text.ts'
import { resolveTarget, withStore } from '../target.ts'

/** `tidemark status`: shows the log and everything that reads it. */
export function statusCommand(host: Host): Command {
  return new Command('status')
    .description('show how far the log and everything that reads it have come')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      const status = await withStore(target, (store) => store.status())
      printResult(host, options, status, statusText)
    })
}
