//! Validates requests against the sender's templates, the user's reachability, and the user's
//! consent.

use std::collections::HashMap;

use super::check::check;
use super::recipients::Reached;
use super::request::{MessageSpec, SendRequest};
use crate::model::{AccountKind, AppId, Channel, Consent, OpenId, TemplateId, UnionId};
use crate::push::error::{Error, Refusal};
use crate::push::{Push, Sender};
use crate::resolve::User;
use crate::store::consents::{self, ConsentRecord};
use crate::store::messages::Route;
use crate::store::{self, AccountId};

/// How long, in ms, a user's refusal of a template applies. Users can withdraw it in WeChat, which
/// sends no event then.
const REFUSAL_TTL_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// A message that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sendable {
    pub(super) unionid: Option<UnionId>,
    pub(super) route: Route,
    pub(super) fallback: Option<Route>,
}

/// A message's route, and the user's unionid if known.
type RoutedUser = (Route, Option<UnionId>);

impl Push {
    /// Returns the sendable message of each request, in request order.
    pub(super) async fn validate(
        &self,
        requests: &[SendRequest],
    ) -> Result<Vec<Result<Sendable, Refusal>>, Error> {
        let messages: Vec<_> =
            requests.iter().map(|request| (&request.to, &request.message)).collect();
        let with_fallback =
            requests.iter().filter_map(|request| Some((&request.to, request.fallback.as_ref()?)));
        let fallbacks: Vec<_> = with_fallback.collect();
        let messages = self.routes(&messages).await?;
        let mut fallbacks = self.routes(&fallbacks).await?.into_iter();
        let validated = requests.iter().zip(messages).map(|(request, message)| {
            let fallback = request.fallback.as_ref().and_then(|_| fallbacks.next());
            sendable(message, fallback)
        });
        Ok(validated.collect())
    }

    /// Returns the route of each spec to its user, or why there is none.
    async fn routes(
        &self,
        specs: &[(&User, &MessageSpec)],
    ) -> Result<Vec<Result<RoutedUser, Refusal>>, Error> {
        let mut groups: HashMap<(&AppId, &TemplateId), Vec<usize>> = HashMap::new();
        for (index, (user, spec)) in specs.iter().enumerate() {
            self.require_configured(user)?;
            let sender = self.sender(spec.channel, spec.sender.as_ref())?;
            groups.entry((sender.wechat.appid(), &spec.template_id)).or_default().push(index);
        }
        let mut routes: Vec<Option<Result<RoutedUser, Refusal>>> = vec![None; specs.len()];
        for ((appid, template_id), indexes) in groups {
            let group: Vec<_> = indexes.iter().map(|index| specs[*index]).collect();
            let sender = &self.senders[appid];
            let group_routes = self.routes_of_template(sender, template_id, &group).await?;
            for (index, route) in indexes.iter().zip(group_routes) {
                routes[*index] = Some(route);
            }
        }
        Ok(routes.into_iter().flatten().collect())
    }

    /// Returns the routes of specs that use the same template of the same sender.
    async fn routes_of_template(
        &self,
        sender: &Sender,
        template_id: &TemplateId,
        specs: &[(&User, &MessageSpec)],
    ) -> Result<Vec<Result<RoutedUser, Refusal>>, Error> {
        let appid = sender.wechat.appid();
        let keys = sender.templates.find(sender.channel, &sender.wechat, template_id).await;
        let users: Vec<&User> = specs.iter().map(|(user, _)| *user).collect();
        let found = self.reach(sender, &users).await?;
        let reached: Vec<&OpenId> = found.iter().flatten().map(|reached| &reached.openid).collect();
        let account = self.account_id(appid).await?;
        let refused = match sender.channel {
            Channel::Template => {
                store::in_time(self.list_refusals(account, template_id, &reached)).await?
            }
            // A user may decide differently at every prompt, so WeChat decides when the message is
            // sent.
            Channel::Subscribe => Vec::new(),
        };
        let route_of = |((_, spec), found): (&(&User, &MessageSpec), Result<Reached, Refusal>)| {
            let checked = check(appid, template_id, &keys, &spec.content);
            checked.map_err(|refusal| match spec.channel {
                Channel::Template => refusal,
                // The request has the fields below `subscribe`.
                Channel::Subscribe => refusal.within("subscribe"),
            })?;
            let Reached { openid, unionid } = found?;
            if refused.contains(&openid) {
                return Err(Refusal::RefusedByUser);
            }
            let (channel, content) = (spec.channel, spec.content.clone());
            let template_id = template_id.clone();
            Ok((Route { channel, account, openid, template_id, content }, unionid))
        };
        Ok(specs.iter().zip(found).map(route_of).collect())
    }

    /// Returns the openids that refused the template within [`REFUSAL_TTL_MS`].
    async fn list_refusals(
        &self,
        account: AccountId,
        template_id: &TemplateId,
        openids: &[&OpenId],
    ) -> Result<Vec<OpenId>, store::Error> {
        let reader = self.store.reader();
        let records = consents::list_by_openids(reader, account, template_id, openids).await?;
        let now = match records.is_empty() {
            true => 0,
            false => self.store.now().await?,
        };
        let is_refused = |record: &ConsentRecord| {
            record.consent == Consent::Refused && now - record.changed_at < REFUSAL_TTL_MS
        };
        let refused = records.into_iter().filter(|(_, record)| is_refused(record));
        Ok(refused.map(|(openid, _)| openid).collect())
    }

    /// Fails if the openid belongs to an account that is not configured.
    fn require_configured(&self, user: &User) -> Result<(), Error> {
        match user {
            User::OpenId { appid, .. } if !self.senders.contains_key(appid) => {
                Err(self.accounts.unknown(AccountKind::Any, appid).into())
            }
            _ => Ok(()),
        }
    }
}

/// Chooses the message, or its fallback if the message cannot reach the user.
fn sendable(
    message: Result<RoutedUser, Refusal>,
    fallback: Option<Result<RoutedUser, Refusal>>,
) -> Result<Sendable, Refusal> {
    let fallback = match fallback {
        Some(Err(refusal)) if !refusal.is_about_user() => return Err(refusal.within("fallback")),
        other => other.and_then(Result::ok),
    };
    match (message, fallback) {
        (Ok((route, unionid)), fallback) => {
            Ok(Sendable { unionid, route, fallback: fallback.map(|(route, _)| route) })
        }
        (Err(refusal), Some((route, unionid))) if refusal.is_about_user() => {
            Ok(Sendable { unionid, route, fallback: None })
        }
        (Err(refusal), _) => Err(refusal),
    }
}
