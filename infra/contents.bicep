metadata description = 'What is in the app\'s storage account. The app makes none of it; templates and tests read it here.'

var triggerQueues = ['provisioning-requests', 'data-landed', 'workflow-steps', 'refresh-looks']
var poisonQueues = map(triggerQueues, one => '${one}-poison')

@export()
@description('Queues with a function, and their poison queues: the app reads, renews, deletes and sends.')
var workedQueues = concat(triggerQueues, poisonQueues)

@export()
@description('Queues that the app sends to and others read; it looks at how long messages wait there.')
var toldQueues = ['operations-events']

@export()
@description('The queue that Event Grid tells of files that landed.')
var landedQueue = 'data-landed'

@export()
@description('Tables.')
var tables = ['workflows', 'open', 'projects', 'landings', 'datasets', 'runs', 'audit', 'idempotency']

@export()
@description('Where the operator\'s documents are uploaded.')
var configContainer = 'config'

@export()
@description('The app\'s containers.')
var containers = [
  'config'
  'config-accepted'
  'requests'
  'runs'
  'rejected'
  'templates'
  'archive'
  'reports'
]

@export()
@description('Where the platform keeps the app\'s package.')
var packageContainer = 'app-package'

@export()
@description('Where Event Grid keeps what it could not deliver.')
var deadLetterContainer = 'dead-letters'

@export()
@description('What operators look into: documents in force, messages that were refused, events that were not delivered.')
var readableContainers = ['config-accepted', 'rejected', deadLetterContainer]
