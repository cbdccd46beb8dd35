metadata description = 'The page on which people look how the app does, made of the queries beside it.'

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

@description('Resource id of the Application Insights component.')
@minLength(1)
@maxLength(300)
param componentId string

var charts = [
  { title: 'Requests by route', query: loadTextContent('../queries/workbook/requests.kql') }
  { title: 'Embed tokens by client', query: loadTextContent('../queries/workbook/tokens-by-client.kql') }
  { title: 'Calls of Power BI by operation', query: loadTextContent('../queries/workbook/powerbi-calls.kql') }
  { title: 'Refresh runs', query: loadTextContent('../queries/workbook/refresh-runs.kql') }
  { title: 'Minutes from landing to fresh', query: loadTextContent('../queries/workbook/landing-to-fresh.kql') }
  { title: 'Queues', query: loadTextContent('../queries/workbook/queues.kql') }
  { title: 'Workflows', query: loadTextContent('../queries/workbook/workflows.kql') }
  { title: 'What went wrong', query: loadTextContent('../queries/workbook/faults.kql') }
]

var rangeItem = {
  type: 9
  name: 'range'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    queryType: 0
    resourceType: 'microsoft.insights/components'
    parameters: [
      {
        id: guid(componentId, 'range')
        version: 'KqlParameterItem/1.0'
        name: 'range'
        label: 'Time range'
        type: 4
        isRequired: true
        value: { durationMs: 86400000 }
        typeSettings: {
          selectableValues: [{ durationMs: 3600000 }, { durationMs: 86400000 }, { durationMs: 604800000 }]
        }
      }
    ]
  }
}

var chartItems = map(charts, chart => {
  type: 3
  name: chart.title
  content: {
    version: 'KqlItem/1.0'
    title: chart.title
    query: chart.query
    size: 0
    queryType: 0
    resourceType: 'microsoft.insights/components'
    timeContextFromParameter: 'range'
    visualization: 'table'
  }
})

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(componentId, 'powerbi-automation') // a workbook's name has to be a GUID
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Power BI automation (${environmentName})'
    category: 'workbook'
    sourceId: componentId
    version: 'Notebook/1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([rangeItem], chartItems)
      fallbackResourceIds: [componentId]
    })
  }
}
