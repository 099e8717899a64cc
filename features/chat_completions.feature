Feature: Workspaces for the clients that are there already
  A client of OpenAI's API, a WebSocket or an agent uses a workspace without learning our own API.

  Background:
    Given a workspace with these documents
      | source_id             | text                                                                                                  | department |
      | policies/refunds.txt  | Refunds are paid within 7 days of purchase. A refund goes back to the payment method that was used.   | finance    |
      | policies/travel.txt   | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days of the journey.          | travel     |
      | policies/remote.txt   | Employees may work remotely three days a week. Work from abroad needs the consent of human resources. | people     |

  Scenario: The official SDK finds the workspace among the models
    When the SDK lists the models
    Then the workspace is one of them

  Scenario: The official SDK asks a workspace
    When the SDK asks "How fast are refunds paid?"
    Then the completion says "7 days"
    And its annotations cite "policies/refunds.txt" where its markers stand

  Scenario: The official SDK reads a stream
    When the SDK asks "How fast are refunds paid?" as a stream
    Then the completion says "7 days"
    And its annotations cite "policies/refunds.txt" where its markers stand
    And the stream tells its usage

  Scenario: A completion is the answer of the workspace
    When I ask "How fast are refunds paid?"
    And the SDK asks "How fast are refunds paid?"
    Then the completion and the answer are the same

  Scenario: Earlier turns and instructions of the client are no question
    When the SDK asks "How fast are refunds paid?" after a conversation about hotels
    Then the completion says "7 days"

  Scenario: A filter narrows what the SDK is answered from
    When the SDK asks "Within how many days are refunds paid, and receipts due?" where department eq "travel"
    Then no source of the completion is "policies/refunds.txt"

  Scenario Outline: The official SDK knows our errors
    When the SDK sends <matter>
    Then the SDK raises <error> with the code "<code>"

    Examples:
      | matter                | error               | code            |
      | an unknown model      | NotFoundError       | model_not_found |
      | two choices           | BadRequestError     | invalid_request |
      | a tool                | BadRequestError     | invalid_request |
      | no question           | BadRequestError     | invalid_request |
      | an unknown parameter  | BadRequestError     | unknown_field   |
      | an unknown operator   | BadRequestError     | invalid_filter  |

  Scenario: A WebSocket answers one question after another
    When a socket asks "How fast are refunds paid?"
    Then the socket's answer says "7 days"
    And the socket's events are sources, then tokens, then done
    When the same socket asks "Up to what price a night are hotels reimbursed?"
    Then the socket's answer says "140 EUR"

  Scenario: A WebSocket says what is wrong, and stays open
    When a socket asks " "
    Then the socket is told the code "invalid_request"
    When the same socket asks "How fast are refunds paid?"
    Then the socket's answer says "7 days"
