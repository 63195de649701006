import { Command } from 'commander'
import type { AuditOptions, AuditResult } from '../../worker/audit.ts'
import { findingsText, refuseDamage } from '../findings-text.ts'
import { formatCount } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, type Target, withStore } from '../target.ts'

interface AuditCommandOptions extends GlobalOptions {
  readonly grace?: number
  readonly batchSize?: number
}

/** `tidemark audit`: proves that log, ledger and subscriptions add up. */
export function auditCommand(host: Host): Command {
  return new Command('audit')
    .description('prove in one snapshot that events, positions and subscriptions add up')
    .option(
      '--grace <ms>',
      'how long an event may be without a position (default: 5000)',
      positiveInteger,
    )
    .option(
      '--batch-size <n>',
      'smallest batch of any worker (default: that of the config file, or 1000)',
      positiveInteger,
    )
    .addHelpText('after', '\nExits with 6 when something does not add up; warnings alone are 0.')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<AuditCommandOptions>()
      const target = await resolveTarget(options, host)
      const result = await withStore(target, (store) => store.audit(toAudit(options, target)))
      printResult(host, options, result, auditText)
      refuseDamage(result.findings)
    })
}

/** Says what an audit came to, for people. */
export function auditText({ head, commits, findings }: AuditResult): string {
  const log = `the log ends at position ${formatCount(head)}, in ${formatCount(commits)} commits`
  return [log, findingsText(findings)].join('\n')
}

function toAudit({ grace, batchSize }: AuditCommandOptions, { config }: Target): AuditOptions {
  const smallest = batchSize ?? config.worker?.batchSize
  return {
    ...(grace === undefined ? {} : { graceMs: grace }),
    ...(smallest === undefined ? {} : { batchSize: smallest }),
  }
}
