metadata description = 'Who is told when something is wrong. Each query answers what is wrong: any row fires its alert.'

@description('Name of the environment.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

@description('Name of the action group.')
@minLength(1)
@maxLength(260)
param actionGroupName string

@description('Who is written to.')
@maxLength(20)
param emails string[]

@description('Where the runbook can be read.')
@minLength(8)
@maxLength(300)
param runbookUrl string

@description('Resource id of the Application Insights component.')
@minLength(1)
@maxLength(300)
param componentId string

@description('Resource id of the landing account\'s system topic.')
@minLength(1)
@maxLength(300)
param topicId string

@description('Region of that topic.')
@minLength(3)
@maxLength(40)
param topicLocation string

@description('Milliseconds within which 95 of 100 embed tokens have to be issued.')
@minValue(100)
@maxValue(30000)
param embedLatencyMilliseconds int

// A line is in the log some minutes after it was written. So the window of what happens once (a failure, a poison
// message) is longer than the time between two looks: what came too late for one look is in the next.
var alerts = [
  {
    name: 'poison-messages'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/poison-messages.kql')
    says: 'A message was delivered five times in vain.'
  }
  {
    name: 'rejected-messages'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/rejected-messages.kql')
    says: 'A message can never be carried out, and was put aside.'
  }
  {
    name: 'oldest-message'
    severity: 1
    every: 'PT5M'
    window: 'PT10M'
    query: loadTextContent('../queries/alerts/oldest-message.kql')
    says: 'Messages have been waiting for more than five minutes.'
  }
  {
    name: 'critical-refresh-failed'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/critical-refresh-failed.kql')
    says: 'A critical dataset was not refreshed.'
  }
  {
    name: 'refresh-failed'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/refresh-failed.kql')
    says: 'A dataset was not refreshed.'
  }
  {
    name: 'provisioning-failed'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/provisioning-failed.kql')
    says: 'A provisioning request failed.'
  }
  {
    name: 'overdue-work'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/overdue-work.kql')
    says: 'Messages come late or are lost: the sweep brings work back.'
  }
  {
    name: 'sweep-silent'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/sweep-silent.kql')
    says: 'One of the timers has done no work for a quarter of an hour.'
  }
  {
    name: 'embed-errors'
    severity: 1
    every: 'PT5M'
    window: 'PT10M'
    query: loadTextContent('../queries/alerts/embed-errors.kql')
    says: 'More than 1 % of embed token requests fail.'
  }
  {
    name: 'embed-latency'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: replace(
      loadTextContent('../queries/alerts/embed-latency.kql'),
      '{milliseconds}',
      string(embedLatencyMilliseconds)
    )
    says: 'Embed tokens take longer than promised.'
  }
  {
    name: 'powerbi-throttled'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/powerbi-throttled.kql')
    says: 'Power BI throttles this app.'
  }
  {
    name: 'not-ready'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/not-ready.kql')
    says: 'Something that the app depends on does not work.'
  }
  {
    name: 'secret-expiry'
    severity: 2
    every: 'PT1H'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/secret-expiry.kql')
    says: 'A secret or certificate of the app expires within thirty days.'
  }
]

var deliveries = [
  {
    name: 'dead-lettered-events'
    metric: 'DeadLetteredCount'
    says: 'Events about landed files could not be delivered, and were kept.'
  }
  {
    name: 'dropped-events'
    metric: 'DroppedEventCount'
    says: 'Events about landed files could not be delivered, and are lost.'
  }
]

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: take('pbi-${environmentName}', 12)
    emailReceivers: [
      for (email, index) in emails: {
        name: 'email-${index}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logAlert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: 'alert-powerbi-${environmentName}-${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Power BI automation (${environmentName}): ${alert.name}'
      description: '${alert.says} What to do: ${runbookUrl}#${alert.name}'
      severity: alert.severity
      enabled: true
      scopes: [componentId]
      evaluationFrequency: alert.every
      windowSize: alert.window
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: {
        actionGroups: [actions.id]
        customProperties: { runbook: '${runbookUrl}#${alert.name}' }
      }
    }
  }
]

resource deliveryAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for delivery in deliveries: {
    name: 'alert-powerbi-${environmentName}-${delivery.name}'
    location: 'global'
    tags: tags
    properties: {
      description: '${delivery.says} What to do: ${runbookUrl}#${delivery.name}'
      severity: 1
      enabled: true
      scopes: [topicId]
      targetResourceType: 'Microsoft.EventGrid/systemTopics'
      targetResourceRegion: topicLocation
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            name: delivery.metric
            criterionType: 'StaticThresholdCriterion'
            metricNamespace: 'Microsoft.EventGrid/systemTopics'
            metricName: delivery.metric
            timeAggregation: 'Total'
            operator: 'GreaterThan'
            threshold: 0
          }
        ]
      }
      actions: [
        {
          actionGroupId: actions.id
          webHookProperties: { runbook: '${runbookUrl}#${delivery.name}' }
        }
      ]
    }
  }
]
